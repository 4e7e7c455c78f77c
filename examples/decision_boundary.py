"""A classifier of points in the plane: how its decision boundary moves while it learns.

    python -m pip install -e ".[plot]" && python examples/decision_boundary.py [--lang zh]

Three spirals around each other are to be told apart. Writes into decision_boundary_output/: training.gif, the boundary
after each few epochs, training.html, the same with a button and a slider, and units.png, the networks of 2, 4 and 32
hidden units side by side.
"""
import time
from pathlib import Path

import numpy as np

from tinynet import language, plotting, utils
from tinynet.layers import Dense
from tinynet.models import Sequential
from tinynet.optimizers import Adam

lang = language.arguments(__doc__).parse_args().lang
_ = language.speaker(lang)
folder = Path("decision_boundary_output")
folder.mkdir(exist_ok=True)


def spirals(n, rng):
    """Points on three spirals, and the number of the spiral"""
    label = rng.integers(0, 3, n)
    radius = rng.uniform(0.15, 1, n)
    angle = 4.5 * radius + 2 * np.pi / 3 * label + rng.normal(0, 0.12, n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), label


def network(units):
    """Two hidden layers of so many units"""
    utils.set_random_seed(1)
    model = Sequential([Dense(units, "tanh", input_shape=(2,)), Dense(units, "tanh"), Dense(3, "softmax")])
    model.compile(Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


rng = np.random.default_rng(0)
(x, y), (x_test, y_test) = spirals(400, rng), spirals(400, rng)

print(_("""\
A single dense layer with a softmax can only cut the plane by straight lines: the boundary between two classes is where
their logits are equal, x W[:,a] + b[a] = x W[:,b] + b[b], and that is a line.  Hidden layers bend it: each hidden unit
is a soft step across a line, and the next layer puts these steps together.
""", """\
只有一个全连接层加 softmax 时，只能用直线划分平面：两个类别的边界是它们的 logits 相等之处，x W[:,a] + b[a] = x W[:,b] + b[b]，
这是一条直线。隐藏层使它弯曲：每个隐藏单元是沿一条直线的平滑台阶，下一层再把这些台阶组合起来。
"""))
print(_("hidden units   weights   loss in training   test accuracy", "    隐藏单元    权重数           训练损失      测试准确率"))
trained = {}
for units in (2, 4, 32):
    model = trained[units] = network(units)
    history = model.fit(x, y, batch_size=32, epochs=80, verbose=0)
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    print(f"{units:>12} {model.count_params():>9} {history.history['loss'][-1]:>18.4f} {accuracy:>15.1%}")

title = _("{} hidden units", "{} 个隐藏单元")
if lang == "zh" and not plotting.has_chinese_glyphs():
    title = "{} hidden units"
    print("没有安装中文字体，所以图中用英文；可以安装 Noto Sans CJK。")
plotting.plot_boundaries({title.format(units): model for units, model in trained.items()}, x_test, y_test).savefig(
    folder / "units.png")

print(_("""
The film: 32 hidden units, from the first weights, which are random, so that the boundary is anywhere, to the last.
First a straight line divides what it can; then it bends where the loss is largest; at the end only points between two
arms are uncertain, where the colour is pale.
""", """
动画：32 个隐藏单元，从最初的随机权重（边界在哪里是随机的）直到最后。先由直线分开能分的部分，然后在损失最大处弯曲；最后只有
两条旋臂之间的点还不确定，那里的颜色较浅。
"""))
start = time.perf_counter()
for name, frames in (("training.gif", 40), ("training.html", 20)):
    plotting.animate_training(network(32), x, y, folder / name, epochs=80, frames=frames, batch_size=32, verbose=0)
seconds = time.perf_counter() - start
print(_(f"Wrote training.gif, training.html and units.png into {folder}/ in {seconds:.0f} s",
        f"已写入 {folder}/：training.gif、training.html 和 units.png，用时 {seconds:.0f} 秒"))
