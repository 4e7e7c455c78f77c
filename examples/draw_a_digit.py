"""Draw a digit, and see what each layer makes of it: the tutorial's network as a page that needs no server.

    python examples/draw_a_digit.py [--lang zh] [--epochs 32] [--output-dir draw_a_digit_output]

Trains the tutorial's network, or loads the one that is in the folder already, and writes draw_a_digit.html. The page
computes forward, and the gradient with respect to the pixels, by the formulas of tinynet/layers/dense.py and
tinynet/activations.py. With a mouse or a finger you draw; the pixels that speak for and against a digit are shown.
"""
import base64
import json
from pathlib import Path

import numpy as np

from tinynet import language
from tinynet.datasets import mnist
from tinynet.layers import Dense, Dropout
from tinynet.models import Sequential, load_model
from tinynet.utils import to_categorical

WORDS = {
    "title": ("Draw a digit", "写一个数字"),
    "draw": ("Draw here", "在这里写"), "clear": ("Clear", "清除"), "examples": ("or take one of the test set:", "或选一个测试样本："),
    "seen": ("What the network gets: 28 by 28 numbers", "网络得到的输入：28 × 28 个数"),
    "layer": ("Hidden layer {}: {} of {} units are on", "隐藏层 {}：{} 个单元激活，共 {} 个"),
    "probabilities": ("The ten probabilities", "十个类别的概率"),
    "click": ("click a digit to see which pixels make it likelier", "点击数字，查看哪些像素使它更可能"),
    "gradient": ("Evidence for the digit {}", "支持 {} 的依据"),
    "legend": ("The gradient of log p({}) with respect to each pixel. Blue: more ink here makes {} likelier. Orange: "
               "less likely. The drawing is grey. At the edges, where MNIST never has ink, weights are still random.",
               "log p({}) 对每个像素的梯度。蓝色：此处墨迹增多，{} 的概率升高；橙色：概率降低。灰色是你写的数字。"
               "MNIST 图像的边缘从无墨迹，那里的权重仍是随机的。"),
    "formulas": ("Forward: h1 = relu(x W1 + b1), h2 = relu(h1 W2 + b2), p = softmax(h2 W3 + b3). Backward, for the "
                 "digit c: dz = onehot(c) - p, dh2 = dz W3^T where h2 > 0, dh1 = dh2 W2^T where h1 > 0, dx = dh1 W1^T.",
                 "前向传播：h1 = relu(x W1 + b1)，h2 = relu(h1 W2 + b2)，p = softmax(h2 W3 + b3)。反向传播（对数字 c）："
                 "dz = onehot(c) - p，dh2 = dz W3^T（h2 ≤ 0 处为 0），dh1 = dh2 W2^T（h1 ≤ 0 处为 0），dx = dh1 W1^T。"),
    "accuracy": ("Right for {} of the test digits. Drawings are not quite like MNIST: they are scaled to 20 pixels and "
                 "centred as its digits were, and still it is wrong more often.",
                 "测试集准确率 {}。手写输入与 MNIST 不完全相同：已像它那样缩放到 20 像素并按重心居中，但仍会更常出错。"),
}


def network():
    """The tutorial's network."""
    model = Sequential([Dense(512, activation="relu", input_shape=(784,)), Dropout(0.2),
                        Dense(512, activation="relu"), Dropout(0.2), Dense(10, activation="softmax")])
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    return model


def page(model, images, accuracy, lang="en"):
    """The page of a stack of dense layers, with relu between them and a softmax at the end.

    images: test digits (10, 28, 28) from 0 to 255 that can be taken in place of a drawing.
    """
    dense = [layer for layer in model.layers if isinstance(layer, Dense)]
    layers = [{"inputs": W.shape[0], "units": W.shape[1], "W": encoded(W), "b": encoded(b)}
              for W, b in (layer.get_weights() for layer in dense)]
    words = {name: language.Text(*texts).said(lang) for name, texts in WORDS.items()}
    words["accuracy"] = words["accuracy"].format(f"{accuracy:.2%}")
    data = {"words": words, "layers": layers, "examples": encoded(images.reshape(-1, 784) / 255), "count": len(images)}
    template = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    return (template.replace("<!--LANG-->", lang).replace("<!--TITLE-->", words["title"])
            .replace("/*DATA*/null", json.dumps(data, ensure_ascii=False)))


def encoded(array):
    """An array as the text of its float32 bytes, little-endian."""
    return base64.b64encode(np.asarray(array, "<f4").tobytes()).decode()


def main():
    """Train or load, and write the page."""
    parser = language.arguments(__doc__)
    parser.add_argument("--epochs", type=int, default=32)
    parser.add_argument("--output-dir", type=Path, default=Path("draw_a_digit_output"))
    args = parser.parse_args()
    _ = language.speaker(args.lang)
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    test = x_test.reshape(-1, 784) / 255, to_categorical(y_test)
    args.output_dir.mkdir(parents=True, exist_ok=True)
    saved = args.output_dir / "model.safetensors"
    if saved.exists():
        model = load_model(saved)
        if [(type(layer), layer.output_shape) for layer in model.layers] != [
                (type(layer), layer.output_shape) for layer in network().layers]:
            raise SystemExit(_(f"{saved} holds another network than the tutorial's. Move it away.",
                               f"{saved} 中不是教程的网络，请移走。"))
        print(_(f"Loaded the network of {saved}; delete the file to train another one.",
                f"已载入 {saved} 中的网络；删除该文件即可重新训练。"))
    else:
        model = network()
        model.fit(x_train.reshape(-1, 784) / 255, to_categorical(y_train), batch_size=128, epochs=args.epochs,
                  validation_data=test)
        model.save(saved)
    accuracy = model.evaluate(*test, verbose=0)[1]
    examples = x_test[[np.flatnonzero(y_test == digit)[2] for digit in range(10)]]
    written = args.output_dir / "draw_a_digit.html"
    written.write_text(page(model, examples, accuracy, args.lang), encoding="utf-8")
    print(_(f"Wrote {written}: open it in a browser.", f"已写入 {written}：请用浏览器打开。"))


if __name__ == "__main__":
    main()
