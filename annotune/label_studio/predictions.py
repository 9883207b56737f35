"""Predictions that Label Studio stores."""

from collections.abc import Sequence

from annotune.label_studio.connection import LabelStudioConnection
from annotune.label_studio.rows import PredictionRow, read_predictions
from annotune.labeling.prediction import Prediction, Region


class Predictions:
    """All methods raise as `LabelStudioConnection.call` does."""

    def __init__(self, connection: LabelStudioConnection) -> None:
        self._connection = connection

    def of_task(self, task: int) -> tuple[PredictionRow, ...]:
        """What is stored for a task now. Reading the task itself could make Label Studio fetch one (1.23.2)."""
        with self._connection.call(f"task {task}") as sdk:
            found = sdk.predictions.list(task=task, request_options=self._connection.retrying)
            return read_predictions(list(found))

    def create(self, task: int, prediction: Prediction) -> None:
        """Store a prediction. Not repeated: a request that failed may have stored it, and another would store a second."""
        with self._connection.call(f"task {task}") as sdk:
            sdk.predictions.create(task=task, **prediction.as_dict())

    def replace_regions(self, task: int, prediction: int, regions: Sequence[Region]) -> None:
        """Give a stored prediction of a task other regions; its score and its version stay (1.23.2)."""
        with self._connection.call(f"prediction {prediction}") as sdk:
            # With the task: where Label Studio validates predictions, it looks there for the labeling config.
            sdk.predictions.update(
                prediction, task=task, result=list(regions), request_options=self._connection.retrying
            )
