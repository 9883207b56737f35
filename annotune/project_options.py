"""What a person decided about a project, once for all its tasks."""

from annotune.values import FrozenModel


class ProjectOptions(FrozenModel):
    """The options of one project.

    - `template` names the template that the project was made from; empty if it was made by hand.
    - `fills` are the names of the controls that the model fills, and it fills no others. Empty: people alone fill the page.
      None: nobody said, and the setting ANSWER_CONTROLS holds.
    - `served` is the prompt under which a dataset made of the project asks its questions; empty: the project's own.
    - `reviews` is the project whose accepted answers experts review in this one.
    """

    template: str = ""
    fills: tuple[str, ...] | None = None
    served: str = ""
    reviews: int | None = None
