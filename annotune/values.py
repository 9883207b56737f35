"""Base classes of frozen values that are stored as JSON."""

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from annotune.errors import RecordUnreadable


class FrozenModel(BaseModel):
    """A frozen value that Redis and manifests hold as JSON. Fields that another version added are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def parse_record(cls, record: str | bytes, where: str) -> Self:
        """Parse JSON that this or another version stored; `where` names the place.

        Raises:
            RecordUnreadable: it is no such value.
        """
        try:
            return cls.model_validate_json(record, extra="ignore")
        except ValidationError:
            raise RecordUnreadable(where) from None


class StrictModel(FrozenModel):
    """A value that a person writes. An unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
