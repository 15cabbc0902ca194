"""The workers of a training step - engines that sample, processes that train - in this process or as Ray actors.

The controller (`trainer.py`) sees one interface. On Ray each worker is an actor of its own (`ray_workers.py`): the classes are the same,
results too.
"""

from rl_core.config.rl import RlConfig
from rl_core.training.journal import StopRequest
from rl_core.workers.interface import Models, Workers
from rl_core.workers.local import LocalWorkers


def start_workers(models: Models, config: RlConfig, stop: StopRequest) -> Workers:
    """Place the workers and load their models.

    Raises:
        InputError: the settings ask for more than there is.
        RuntimeError: workers did not start in time, or do not reach each other.
    """
    if config.resources.ray:
        from rl_core.workers.on_ray import RayWorkers

        return RayWorkers(models, config, stop)
    return LocalWorkers(models, config)
