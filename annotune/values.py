"""Frozen values that are kept as JSON."""

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from annotune.errors import RecordUnreadable


class FrozenModel(BaseModel):
    """A frozen value that goes to Redis and to manifests as JSON; fields that another version added are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def parse_record(cls, record: str | bytes, where: str) -> Self:
        """A value that this or another version kept at `where`.

        Raises:
            RecordUnreadable: it is none.
        """
        try:
            return cls.model_validate_json(record, extra="ignore")
        except ValidationError:
            raise RecordUnreadable(where) from None


class StrictModel(FrozenModel):
    """A value that a person gives: a field that is none is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
