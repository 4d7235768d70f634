"""The locustfile of a Locust master whose workers are `copresence load --worker`.

A master needs the names of the user classes, and nothing else: the workers play the visits.
"""

from locust import User, task


class Console(User):
    """A console of the Copresence Integration API."""

    @task
    def visit(self):
        """Never runs on the master."""
        raise NotImplementedError("join this master with: copresence load --worker --master-host HOST")
