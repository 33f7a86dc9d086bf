"""Sources of iterations, as far as another instance goes on with them."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_k6api.scheduling.executors.iteration_source import (
    IterationSource,
    PerVUSource,
    SharedSource,
    UnlimitedSource,
)

TAKEN = st.lists(st.integers(1, 4), max_size=30)
BUSY = st.sets(st.integers(1, 4))


def rest(source: IterationSource) -> int:
    """Return how many iterations `source` still gives the tasks 1 to 4."""
    return sum(source.take(index) for index in (1, 2, 3, 4) for _ in range(100))


@given(TAKEN, BUSY)
def test_a_successor_has_the_iterations_that_have_not_ended(taken: list[int], busy: set[int]):
    for make in (lambda: SharedSource(20), lambda: PerVUSource(5, 4)):
        lost, successor = make(), make()
        has_taken = [index for index in taken if lost.take(index)]
        running = busy & set(has_taken)

        successor.restore(lost.ended(running))

        assert rest(successor) == 20 - len(has_taken) + len(running)


def test_a_task_that_a_command_has_added_has_the_rest_of_its_iterations():
    lost, successor = PerVUSource(3, 1), PerVUSource(3, 1)
    for _ in range(2):
        lost.take(2)

    successor.restore(lost.ended(busy={2}))

    assert [successor.take(2) for _ in range(3)] == [True, True, False]
    assert successor.total == 6


def test_iterations_without_a_limit_stay_without():
    source = UnlimitedSource()

    source.restore(source.ended(busy={1}))

    assert source.take(1)
