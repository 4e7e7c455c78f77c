"""The exercises, in the order of the course."""
from tinynet.exercises.tasks import (
    adam, attention, batch_normalization, convolution, cross_entropy, dense, dense_sample, dropout, l2,
    layer_normalization, line, max_pooling, momentum, relu, rnn, sigmoid, softmax, two_layers)

COURSE = {task.exercise.name: task.exercise for task in (
    line, sigmoid, dense_sample, dense, relu, softmax, cross_entropy, two_layers, dropout, l2, momentum, adam,
    batch_normalization, layer_normalization, convolution, max_pooling, rnn, attention)}
