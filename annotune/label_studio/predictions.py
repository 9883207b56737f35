"""Predictions that Label Studio stores."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from label_studio_sdk import PredictionRequest
from label_studio_sdk.core import ApiError

from annotune.errors import NotFound
from annotune.label_studio.connection import LabelStudioConnection
from annotune.label_studio.rows import PredictionRow, read_predictions
from annotune.labeling.prediction import Prediction, Region

# What may be about one prediction among many. The others, tried singly, may still be stored.
REFUSED = (400, 404, 405, 413, 422, 500)


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

    def create_many(self, project: int, predictions: Mapping[int, Prediction]) -> int:
        """Store predictions of a project's tasks in one request, by task; how many were stored.

        Fewer than given: Label Studio (1.23.2) refuses all for one task that is gone, and leaves out those that the SDK
        cannot validate. As in `create`, nothing is repeated.
        """
        with self._connection.call(f"project {project}") as sdk:
            request = [PredictionRequest(task=task, **made.as_dict()) for task, made in predictions.items()]
            try:
                return int(sdk.projects.import_predictions(project, request=request).created or 0)
            except ApiError as error:
                if error.status_code in REFUSED:
                    return 0
                raise

    def delete(self, prediction: int) -> None:
        """Delete a stored prediction. One that is gone already is no error."""
        with suppress(NotFound), self._connection.call(f"prediction {prediction}") as sdk:
            sdk.predictions.delete(prediction, request_options=self._connection.retrying)

    def replace_regions(self, task: int, prediction: int, regions: Sequence[Region]) -> None:
        """Give a stored prediction of a task other regions; its score and its version stay (1.23.2)."""
        with self._connection.call(f"prediction {prediction}") as sdk:
            # With the task: where Label Studio validates predictions, it looks there for the labeling config.
            sdk.predictions.update(
                prediction, task=task, result=list(regions), request_options=self._connection.retrying
            )
