import threading

import pytest

from tests.kit.threads import Task


def test_a_task_returns_what_the_function_returned():
    assert Task(max, 1, 2).result() == 2


def test_a_task_raises_what_the_function_raised():
    with pytest.raises(ZeroDivisionError):
        Task(divmod, 1, 0).result()


def test_a_task_that_does_not_end_is_an_error_with_its_name():
    gate = threading.Event()
    task = Task(gate.wait)
    with pytest.raises(AssertionError, match="wait has not ended"):
        task.result(patience=0)
    assert task.running
    gate.set()
    assert task.result() is True
