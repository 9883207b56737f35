"""The client of Label Studio: one connection, and what there is to ask of it."""

from typing import Self

from annotune.errors import ConfigurationError
from annotune.label_studio.backends import Backends
from annotune.label_studio.connection import CALL_S, RETRIES, TIMEOUT_S, LabelStudioConnection
from annotune.label_studio.predictions import Predictions
from annotune.label_studio.projects import Projects
from annotune.label_studio.tasks import Tasks
from annotune.label_studio.users import Users
from annotune.label_studio.webhooks import Webhooks
from annotune.settings import Settings


class LabelStudioClient:
    """One Label Studio. All methods raise as `LabelStudioConnection.call` does; `close` it at the end."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout_s: float = TIMEOUT_S,
        call_s: float = CALL_S,
        retries: int = RETRIES,
    ) -> None:
        """Connect when first used: the arguments are `LabelStudioConnection`'s.

        Raises:
            Unauthorized: a personal access token that has expired.
        """
        self._connection = LabelStudioConnection(url, api_key, timeout_s=timeout_s, call_s=call_s, retries=retries)
        self.url = self._connection.url
        self.projects = Projects(self._connection)
        self.tasks = Tasks(self._connection)
        self.predictions = Predictions(self._connection)
        self.backends = Backends(self._connection)
        self.webhooks = Webhooks(self._connection)
        self.users = Users(self._connection)

    @classmethod
    def from_settings(cls, settings: Settings, *, timeout_s: float = TIMEOUT_S) -> Self:
        """The Label Studio that the settings name. With a `timeout_s`, a whole call takes no longer than that.

        Raises:
            ConfigurationError: its address or the key is not set.
            Unauthorized: a personal access token that has expired.
        """
        if settings.label_studio_url is None:
            raise ConfigurationError("LABEL_STUDIO_URL is not set: set it to where Label Studio answers")
        if settings.label_studio_api_key is None:
            raise ConfigurationError(
                "LABEL_STUDIO_API_KEY is not set: set it to a personal access token (Label Studio: Account & Settings)"
            )
        call_s = CALL_S if timeout_s == TIMEOUT_S else timeout_s
        key = settings.label_studio_api_key.get_secret_value()
        return cls(settings.label_studio_url, key, timeout_s=timeout_s, call_s=call_s)

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def check_key(self) -> None:
        """Ask Label Studio for the user of the key.

        Raises:
            Unauthorized: the key is refused.
            LabelStudioError: Label Studio did not answer as it should.
        """
        with self._connection.call("the user of the key") as sdk:
            sdk.users.whoami()
