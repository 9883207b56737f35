"""`annotune connect` with a real backend and worker: what it says works does, and what does not it tells."""

import pytest
from click.testing import CliRunner, Result

from annotune.label_studio.client import LabelStudioClient
from annotune.settings import Settings
from commands.main import annotune
from curation import checkup
from curation.projects import create_project
from curation.templates import find_template
from embedded.label_studio import LabelStudio
from trainer.checks import check_label_studio_key


def test_a_wrong_secret_and_another_deployment_are_told(
    studio: LabelStudioClient, label_studio: LabelStudio, deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deploy()
    project = create_project(
        studio, title="Review", config=find_template("rated-answer").config, data=[{"question": "Is it?"}]
    )

    def connect(**changed: str) -> Result:
        return CliRunner().invoke(annotune, ["connect", str(project.id)], env=deployment.environment | changed)

    first = connect()
    with monkeypatch.context() as short:  # what does not come is waited for
        short.setattr(checkup, "FIRST_REPORT_S", 1.0)
        short.setattr(checkup, "EVENT_S", 1.0)
        secret, elsewhere = connect(WEBHOOK_SECRET="not-it"), connect(DEPLOYMENT="other")
    again = connect()

    assert (first.exit_code, first.stderr) == (0, "")
    assert "worker: alive, and it can learn" in first.stdout
    assert "events: Label Studio's events reach the backend and this Redis" in first.stdout
    assert (secret.exit_code, elsewhere.exit_code) == (3, 3)
    assert "the backend refuses the webhook's secret: set WEBHOOK_SECRET to the same value" in secret.stderr
    assert "REDIS_URL and DEPLOYMENT must be the same" in elsewhere.stderr
    assert "worker: none is alive" in elsewhere.stderr
    assert (again.exit_code, "was connected already: nothing changed" in again.stdout) == (0, True)


@pytest.mark.parametrize("right", [True, False])
def test_a_worker_sees_whether_label_studio_takes_its_key(label_studio: LabelStudio, right: bool) -> None:
    key = label_studio.api_key if right else "0" * 40

    finding = check_label_studio_key(Settings(label_studio_url=label_studio.url, label_studio_api_key=key))

    assert finding.ok is right
    assert ("takes the key" if right else "refused the key") in finding.detail
