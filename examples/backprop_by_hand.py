"""One step of backprop in a network of 2, 3 and 2 units, every number beside its formula; then tinynet does the same.

    python examples/backprop_by_hand.py

It needs the chain rule only: if L depends on y, and y on x, then dL/dx = dL/dy dy/dx, summed over all paths from x to
L. Here dx is short for dL/dx, for every x.
"""
import math

import numpy as np

from tinynet.gradient_check import assert_gradients, check_model
from tinynet.layers import Dense
from tinynet.models import Sequential
from tinynet.optimizers import SGD

# Two inputs, and the target: class 1 of 0 and 1.
x = [0.5, -1.0]
t = [0.0, 1.0]

# The weights: W1[i][j] connects input i to hidden unit j, W2[j][k] hidden unit j to output k.
W1 = [[0.1, 0.4, -0.2], [0.3, -0.5, 0.6]]
b1 = [0.0, 0.1, 0.2]
W2 = [[0.7, -0.3], [-0.4, 0.2], [0.5, 0.9]]
b2 = [0.05, -0.05]
rate = 0.1


def say(name, formula, value):
    print(f"    {name:<9} = {formula:<58} = {value: .6f}")
    return value


def terms(pairs):
    """a1 b1 + a2 b2 ... as text."""
    return " + ".join(f"{a:.3g} ({b:.3g})" for a, b in pairs)


print(f"The data: x = {x}, and t = {t}: class 1 is the true one.\nThe weights: W1 = {W1}, b1 = {b1},\n"
      f"             W2 = {W2}, b2 = {b2}.\n")
print("Forward: from the data to the loss.\n\n  Hidden units, z = x W1 + b1 and h = tanh(z):")
z, h = [0.0] * 3, [0.0] * 3
for j in range(3):
    pairs = [(x[i], W1[i][j]) for i in range(2)]
    z[j] = say(f"z[{j}]", f"{terms(pairs)} + {b1[j]:.3g}", sum(a * b for a, b in pairs) + b1[j])
    h[j] = say(f"h[{j}]", f"tanh({z[j]:.4f})", math.tanh(z[j]))

print("\n  Outputs, o = h W2 + b2, and probabilities, p = exp(o) / sum of exp(o):")
o = [0.0] * 2
for k in range(2):
    pairs = [(h[j], W2[j][k]) for j in range(3)]
    o[k] = say(f"o[{k}]", f"{terms(pairs)} + {b2[k]:.3g}", sum(a * b for a, b in pairs) + b2[k])
total = sum(math.exp(value) for value in o)
p = [say(f"p[{k}]", f"exp({o[k]:.4f}) / {total:.4f}", math.exp(o[k]) / total) for k in range(2)]

print("\n  The loss, the negative log probability of the true class:")
L = say("L", f"-log p[1] = -log({p[1]:.4f})", -math.log(p[1]))

print("""
Backward: how L changes with each number, from the last to the first.  dW2 is short for dL/dW2, and so for all.

  L = -log p[1] and the softmax together: p[1] = exp(o[1]) / (exp(o[0]) + exp(o[1])), so
  L = -o[1] + log(exp(o[0]) + exp(o[1])).  The first part has the slope -1 in o[1], and 0 in o[0]: that is -t[k].
  The slope of the second in o[k] is exp(o[k]) / (exp(o[0]) + exp(o[1])) = p[k].  Together do[k] = p[k] - t[k]:""")
do = [say(f"do[{k}]", f"p[{k}] - t[{k}] = {p[k]:.4f} - {t[k]:.0f}", p[k] - t[k]) for k in range(2)]

print("""
  o[k] = sum of h[j] W2[j][k] + b2[k].  Move W2[j][k] by a little, and o[k] moves h[j] times as much.  So by the
  chain rule dL/dW2[j][k] = dL/do[k] h[j], in short dW2[j][k] = h[j] do[k], and likewise db2[k] = do[k]:""")
dW2 = [[say(f"dW2[{j}][{k}]", f"h[{j}] do[{k}] = {h[j]:.4f} ({do[k]:.4f})", h[j] * do[k]) for k in range(2)]
       for j in range(3)]
db2 = [say(f"db2[{k}]", f"do[{k}]", do[k]) for k in range(2)]

print("\n  h[j] reaches L through both outputs: dh[j] = sum over k of W2[j][k] do[k]:")
dh = [say(f"dh[{j}]", terms((W2[j][k], do[k]) for k in range(2)), sum(W2[j][k] * do[k] for k in range(2)))
      for j in range(3)]

print("\n  h = tanh(z) has the slope 1 - h^2: dz[j] = dh[j] (1 - h[j]^2):")
dz = [say(f"dz[{j}]", f"{dh[j]:.4f} (1 - ({h[j]:.4f})^2)", dh[j] * (1 - h[j] ** 2)) for j in range(3)]

print("\n  z[j] = sum of x[i] W1[i][j] + b1[j].  So dW1[i][j] = x[i] dz[j], and db1[j] = dz[j]:")
dW1 = [[say(f"dW1[{i}][{j}]", f"x[{i}] dz[{j}] = {x[i]:.4f} ({dz[j]:.4f})", x[i] * dz[j]) for j in range(3)]
       for i in range(2)]
db1 = [say(f"db1[{j}]", f"dz[{j}]", dz[j]) for j in range(3)]

print(f"\nOne step of gradient descent moves each weight against its gradient, w - {rate} dw, for example:")
for i, j in ((0, 0), (1, 2)):
    say(f"W1[{i}][{j}]", f"{W1[i][j]} - {rate} ({dW1[i][j]:.4f})", W1[i][j] - rate * dW1[i][j])

# The same network in tinynet.  A weight is a matrix, and a batch has one row for each sample: here a single one.
model = Sequential([Dense(3, activation="tanh", input_shape=(2,)), Dense(2, activation="softmax")])
model.compile(SGD(rate), "categorical_crossentropy")
model.set_weights([np.array(w) for w in (W1, b1, W2, b2)])
print("""
The same by tinynet.  There each layer calls what goes in x, what comes out y, and the gradients of these dx
and dy: our h is the y of dense_1/tanh and the x of dense_2.  For the softmax and the loss together z are the
logits, our o, and N is the number of samples.  What follows a formula is the length of the whole array, the root
of its sum of squares.
""")
print(model.explain_step([x], [t]))
ours = [np.array(gradient) for gradient in (dW1, db1, dW2, db2)]
theirs = list(model.gradients([x], [t]).values())
print(f"\nLargest difference from the gradients worked out above: "
      f"{max(np.abs(a - b).max() for a, b in zip(ours, theirs)):.1e} (tinynet computes in float32)")

before = model.evaluate([x], [t], verbose=0)
model.train_on_batch([x], [t])
print(f"The loss before the step: {before:.6f}, and after it: {model.evaluate([x], [t], verbose=0):.6f}")

print("""
And is each of these formulas right?  Move each number a little and see what happens: to the loss, in the rows of
the whole model, and for a layer alone to the sum of its outputs, each times a number drawn at random.
""")
report = check_model(model, [x], [t])
print(report)
assert_gradients(report)
assert abs(before - L) < 1e-6
