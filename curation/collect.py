"""How a project's annotations become examples, and the examples of a project as they are now."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from annotune.label_studio.client import LabelStudioClient
from annotune.label_studio.rows import ProjectRow
from annotune.labeling.config import Labeling
from annotune.settings import Settings
from annotune.split import SplitAssignment
from annotune.store.store import Store
from curation.annotation import ExampleMaker
from curation.context import CurationContext
from curation.examples import ExampleSet, collect_examples
from curation.policy import Policy
from curation.verdicts import read_verdicts

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExampleRules:
    """How a project's annotations become examples: `maker` makes one, and `policy` decides which annotation counts."""

    maker: ExampleMaker
    policy: Policy

    @classmethod
    def read(cls, studio: LabelStudioClient, store: Store, settings: Settings, project: ProjectRow) -> Self:
        """Read all that the rules of a project follow from.

        Raises:
            LabelingInvalid: the labeling config cannot be served.
            LabelStudioError, Unauthorized: Label Studio did not answer as it should.
            StoreUnavailable, RecordUnreadable: Redis does not answer, or holds something else.
        """
        labeling = Labeling.from_settings(project.label_config, settings, store.options.get(project.id).fills)
        experts, unknown = find_experts(studio, settings)
        if unknown:
            _log.warning("EXPERTS names users that Label Studio does not know: %s", ", ".join(unknown))
        return cls(
            ExampleMaker(project.id, labeling, settings, store.prompts.system(project.id)),
            Policy(experts, read_verdicts(studio, store, project.id), unknown),
        )


def find_experts(studio: LabelStudioClient, settings: Settings) -> tuple[frozenset[int], tuple[str, ...]]:
    """The ids of the users in EXPERTS, and the e-mails there that Label Studio does not know.

    Raises:
        LabelStudioError, Unauthorized: Label Studio did not answer as it should.
    """
    if not settings.expert_emails:
        return frozenset(), ()
    users = {user.email.casefold(): user.id for user in studio.users.all()}
    found = {email: users.get(email.casefold()) for email in settings.expert_emails}
    return (
        frozenset(user for user in found.values() if user is not None),
        tuple(email for email, user in found.items() if user is None),
    )


def project_examples(context: CurationContext, project: int) -> ExampleSet:
    """What a training of the project would learn from now, and what would be held out. Nothing is stored.

    Raises:
        NotFound: there is no such project.
        LabelingInvalid: the labeling config cannot be served.
        LabelStudioError, Unauthorized: Label Studio did not answer as it should.
        StoreUnavailable: Redis does not answer.
    """
    settings, store, studio = context.settings, context.store, context.label_studio
    rules = ExampleRules.read(studio, store, settings, studio.projects.get(project))

    def split(texts: Sequence[str], groups: Sequence[str]) -> SplitAssignment:
        return store.splits.preview(project, texts, settings.min_examples, groups)

    return collect_examples(
        studio.tasks.annotated(project),
        rules.maker,
        answers_for=lambda tasks: store.answers.by_task(project, tasks),
        split=split,
        policy=rules.policy,
    )
