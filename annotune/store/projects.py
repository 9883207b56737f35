"""The projects that a deployment knows. Key (see keys.py): `projects`."""

from redis import Redis

from annotune.errors import TooManyProjects
from annotune.settings import DAY_S
from annotune.store.answers import AnswerStore
from annotune.store.keys import Keys
from annotune.store.records import Records, pages
from annotune.store.redis import redis_errors
from annotune.store.scripts import REMEMBER

MAX_PROJECTS = 10_000
# Keys that the next sync or webhook writes again. They are deleted with a project that Label Studio does not have.
TRANSIENT = ("changes", "looked", "queued", "tally", "training", "progress", "parameters", "batch", "scores")
FORGOTTEN_S = 30 * DAY_S  # a wrong LABEL_STUDIO_URL looks as if all projects were gone


class ProjectStore(Records):
    """The known projects. Every method raises StoreUnavailable where Redis does not answer, and RecordUnreadable where
    the key holds no set.
    """

    def __init__(self, client: Redis, keys: Keys, answers: AnswerStore) -> None:
        super().__init__(client, keys)
        self._answers = answers

    def all(self) -> list[int]:
        """The ids of all known projects, in order; a member that is no id is left out."""
        with redis_errors(self._keys.projects):
            members = map(str, self._redis.smembers(self._keys.projects))
        return sorted(int(member) for member in members if member.isdecimal())

    def knows(self, project: int) -> bool:
        with redis_errors(self._keys.projects):
            return bool(self._redis.sismember(self._keys.projects, str(project)))

    def remember(self, *projects: int) -> None:
        """Know these projects from now on.

        Raises:
            TooManyProjects: `MAX_PROJECTS` are known, and one of these is not among them.
        """
        for page in pages(projects):
            with redis_errors(self._keys.projects):
                refused = self._redis.eval(REMEMBER, 1, self._keys.projects, MAX_PROJECTS, *page)
            if refused:
                raise TooManyProjects(
                    f"project {refused} is refused, because {MAX_PROJECTS} projects are known already: 'annotune status'"
                    " lists them. Disconnect those that do not exist, or start a worker, which forgets them"
                )

    def forget(self, project: int) -> None:
        """Forget a project. Models, prompts and runs stay, and answers for `FORGOTTEN_S`, in case it comes back."""
        with redis_errors():
            pipe = self._redis.pipeline()
            pipe.srem(self._keys.projects, project)
            pipe.delete(*(self._keys.of(project, name) for name in TRANSIENT))
            pipe.execute()
        self._answers.shorten(project, kept_s=FORGOTTEN_S)
