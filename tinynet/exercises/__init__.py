"""Exercises that teach backprop, and their grading.

    python -m tinynet.exercises                     lists them
    python -m tinynet.exercises new relu            writes relu.py: the task, and functions to be filled in
    python -m tinynet.exercises grade relu.py       marks each function and each gradient

In a notebook `grade(relu_forward, relu_backward)` does the same, and `python -m pytest -p
tinynet.exercises.pytest_plugin relu.py` makes a test of each mark. Every gradient is compared with the complex-step
derivative of the right forward, on numbers that are not in the task. Grading runs the student's code: grade strangers
in a container.
"""
from tinynet.exercises.files import grade_file
from tinynet.exercises.grading import grade
from tinynet.exercises.marks import Marks
from tinynet.exercises.tasks import COURSE
from tinynet.exercises.writing import new_file

__all__ = ["COURSE", "Marks", "grade", "grade_file", "new_file"]
