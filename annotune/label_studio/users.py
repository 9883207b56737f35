"""Users of Label Studio."""

from annotune.label_studio.connection import LabelStudioConnection
from annotune.label_studio.rows import UserRow


class Users:
    """All methods raise as `LabelStudioConnection.call` does."""

    def __init__(self, connection: LabelStudioConnection) -> None:
        self._connection = connection

    def all(self) -> list[UserRow]:
        """The users of the organization that the key belongs to."""
        with self._connection.call("the users") as sdk:
            found = sdk.users.list(request_options=self._connection.retrying)
            return [UserRow.model_validate(row.dict()) for row in found]
