"""The routes that Label Studio (1.23) calls."""

from flask import Flask, Response, jsonify, request

from annotune.errors import RequestInvalid
from annotune.settings import Settings
from annotune.store.queue import JobQueue
from annotune.store.store import Store
from backend.bodies import BodyReader
from backend.credentials import Credentials
from backend.cross_site import refuse_cross_site
from backend.health import Health
from backend.model import Model
from backend.model_calls import ServerPool
from backend.replies import register_error_handlers
from backend.requests import Event, Predict, Setup
from backend.services import Services
from backend.versions import version_names
from backend.webhooks import project_of


def create_app(settings: Settings, *, store: Store, servers: ServerPool, jobs: JobQueue) -> Flask:
    """The web application. The server starts the background checks, `app.extensions["health"]`.

    Raises:
        ConfigurationError: the settings contradict each other.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.largest_body
    register_error_handlers(app)
    refuse_cross_site(app, settings)
    credentials = Credentials.of(settings)
    bodies = BodyReader(settings)
    services = Services.of(settings, store=store, servers=servers, jobs=jobs)
    health = Health(services)
    app.extensions["health"] = health

    @app.get("/")
    @app.get("/health")
    def show_health() -> Response:
        return jsonify(health.report)

    @app.post("/setup")
    def setup() -> Response:
        credentials.check(request.headers)
        body = bodies.read(Setup)
        return jsonify(model_version=Model(body.project, body.label_config, services).set_up(body.extra_params))

    @app.post("/predict")
    def predict() -> Response:
        credentials.check(request.headers)
        try:
            body = bodies.read(Predict)
        except RequestInvalid as error:
            services.batches.record_refused(error)
            raise
        predictions = Model(body.project, body.label_config, services).predict(body.tasks, body.params.context)
        return jsonify(results=[prediction.as_dict() for prediction in predictions])

    @app.post("/webhook")
    def webhook() -> Response:
        credentials.check(request.headers, webhook=True)
        event = bodies.read(Event)
        project = project_of(event)
        if project is None:
            return jsonify(
                action=event.action, queued=False, message="no project was sent: let the webhook send its payload"
            )
        label_config = event.project.label_config if event.project else None
        return jsonify(Model(project, label_config, services).fit(event.action, event))

    @app.get("/versions")
    def versions() -> Response:
        credentials.check(request.headers)
        return jsonify(versions=version_names(services))

    return app
