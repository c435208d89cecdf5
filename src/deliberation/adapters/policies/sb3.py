"""Policies of stable-baselines3 and sb3-contrib as deciders: `from_sb3`."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ...core.errors import WrongKindError
from ...core.task import Task, check_is_task
from .expected import Score, reproduced
from .host import Asked, HostPolicy, Layered, Model, Said, adapted
from .sb3_archives import Loaded, package, read_archive, read_vec_normalize
from .sb3_spaces import check_spaces
from .shown import Masks, Observe, masked_by_info
from .torch_modules import copied, imported
from .weighing import best, drawn, one_hot, renormalised, softmax


def from_sb3(
    model: Any,
    task: Task,
    *,
    trust: bool = False,
    algorithm: str | None = None,
    vec_normalize: Any = None,
    deterministic: bool = True,
    observe: Observe | None = None,
    masks: Masks | None = None,
    expect: Score | float | int | None = None,
) -> HostPolicy:
    """A decider from a model of stable-baselines3 or sb3-contrib, or the path of its archive.

    PPO, A2C, TRPO, MaskablePPO, RecurrentPPO, DQN, QRDQN, SAC, TD3, DDPG, TQC and CrossQ; of others
    the actions alone. The policy is copied and evaluated in evaluation mode, with the observations
    that the adapted environment gives; where `task` is no Gymnasium environment, with
    `Task.observe`.

    - The weights are the policy's probabilities; of DQN and QRDQN all on the greedy action, or
      epsilon-greedy if not `deterministic`. Probabilities of illegal actions are left out and the
      rest scaled to sum to 1; MaskablePPO is told which are legal, by the task and by
      `masks(state)`, by default an environment's `info["action_mask"]`.
    - The value is that of the critic (of Q-learners the greatest, of SAC and its kin the least of
      the critics' for the best action), in units of the rewards that it was trained on.
    - `deterministic` takes the mode, which is what `evaluate_policy` scores; otherwise the action
      is drawn, by the key alone. Continuous actions are unscaled and clipped as `predict` does.
    - `vec_normalize` are statistics that observations are normalised by: a `VecNormalize`, or the
      path of its file. A model that holds its environment brings them along; False leaves them out.
    - `expect` is the score that its owner names: without those statistics, say, it is not
      reproduced, and the policy is refused. See `Score`.

    An archive and a file of `VecNormalize` run code when they are loaded whole, which needs
    `trust=True`. Without it the plain weights of an archive are read into a policy that is built
    for the task's spaces, where its settings are plain JSON. `algorithm` names the algorithm of an
    archive that does not tell.

    Raises `BackendError` where a package is missing, `UntrustedFileError`, `PolicyFileError` for a
    file that is not what it says, `ForeignPolicyError` for a policy of other spaces than the task,
    `NonFiniteError`, and `UnreproducedScoreError`.
    """
    check_is_task(task)
    if isinstance(model, str | Path):
        loaded, brought = read_archive(Path(model), task, algorithm, trust), None
    else:
        loaded, brought = _of_model(model)
    given = brought if vec_normalize is None else vec_normalize
    if isinstance(given, str | Path):
        given = read_vec_normalize(Path(given), trust)
    if given is not None and given is not False and not hasattr(given, "normalize_obs"):
        raise WrongKindError(
            f"vec_normalize={given!r} is no VecNormalize, nor the path of one's file."
        )
    policy = SB3Model(loaded, given or None, deterministic, task)
    if observe is None:
        check_spaces(policy.name, loaded.policy, task)
    if masks is None and policy.masked:
        masks = masked_by_info(task)
    return reproduced(adapted(task, policy, observe, masks), expect)


def _of_model(model: Any) -> tuple[Loaded, Any]:
    """What is used of a model that there is, and the `VecNormalize` that it holds."""
    policy = getattr(model, "policy", None)
    if not hasattr(policy, "obs_to_tensor") or not hasattr(policy, "predict"):
        raise WrongKindError(
            f"{model!r} is no model of stable-baselines3 and no path of one: hand over the model "
            "itself (PPO, DQN, ...); for anything else with `predict` there is `from_callable`."
        )
    found = getattr(model, "get_vec_normalize_env", lambda: None)()
    exploration = float(getattr(model, "exploration_rate", 0.0))
    return Loaded(copied(policy), type(model).__name__, exploration), copy.deepcopy(found)


class SB3Model(Model):
    """A policy of stable-baselines3 on the host."""

    evaluations = 1
    model_steps = 0

    def __init__(self, loaded: Loaded, normaliser: Any, deterministic: bool, task: Task):
        self.policy, self.normaliser, self.deterministic = loaded.policy, normaliser, deterministic
        self.exploration = 0.0 if deterministic else loaded.exploration
        self.discrete = task.traits.discrete
        kind = type(loaded.policy).__name__
        self.name = (
            f"stable-baselines3 {loaded.algorithm} ({kind}{', normalised' if normaliser else ''})"
        )
        self.how = _kind_of(loaded.policy)
        self.masked = self.how is _maskable
        self.one_by_one = not self.discrete and not deterministic
        if self.how is _recurrent:
            self.remembers = True
            layers, _, width = loaded.policy.lstm_hidden_state_shape
            self.carried = tuple(jax.ShapeDtypeStruct((layers, width), np.float32) for _ in "hchc")

    def answer(self, asked: Asked) -> Said:
        """One forward pass for all rows, in evaluation mode and without gradients."""
        self.policy.set_training_mode(False)
        with imported().no_grad():
            return self.how(self, self.normalised(asked), asked)

    def normalised(self, asked: Asked) -> Any:
        """Observations by the statistics that the policy was trained with, if it was with any."""
        seen = asked.observation
        return seen if self.normaliser is None else self.normaliser.normalize_obs(seen)

    def decided(self, weights: np.ndarray, asked: Asked) -> np.ndarray:
        """Numbered actions by their weights."""
        if self.deterministic:
            return best(weights, asked.legal)
        return drawn(weights, asked.uniform)

    def layered(self) -> Layered | None:
        """The policy, where it scores actions by what it sees alone."""
        scores = scored(self)
        return None if scores is None else Layered(self.policy, scores)

    def tensors(self, seen: Any) -> Any:
        """Observations as the policy's own tensors."""
        return self.policy.obs_to_tensor(seen)[0]


def _kind_of(policy: Any) -> Callable[[SB3Model, Any, Asked], Said]:
    """How a policy is asked, by what it has."""
    if hasattr(policy, "lstm_actor"):
        return _recurrent
    if any(c.__module__.startswith("sb3_contrib.common.maskable") for c in type(policy).__mro__):
        return _maskable
    if hasattr(policy, "q_net") or hasattr(policy, "quantile_net"):
        return _greedy
    if hasattr(policy, "predict_values"):
        return _actor_critic
    return _off_policy if hasattr(policy, "critic") else _plain


def scored(model: SB3Model) -> Callable[[Any, Asked], Any] | None:
    """What gives a policy's scores of numbered actions, as a tensor; None where there is nothing.

    Logits of an actor, action values of a Q-learner (of quantiles, their mean); the policy may be
    another one of the same form.
    """

    def tensors(policy: Any, asked: Asked) -> Any:
        return policy.obs_to_tensor(model.normalised(asked))[0]

    def logits(policy: Any, asked: Asked) -> Any:
        return policy.get_distribution(tensors(policy, asked)).distribution.logits

    def values(policy: Any, asked: Asked) -> Any:
        if hasattr(policy, "quantile_net"):
            return policy.quantile_net(tensors(policy, asked)).mean(dim=1)
        return policy.q_net(tensors(policy, asked))

    if model.how in (_actor_critic, _maskable):
        return logits
    return values if model.how is _greedy else None


def _weights(distribution: Any, asked: Asked) -> np.ndarray:
    """Probabilities of numbered actions as they are, but for illegal ones."""
    inner = distribution.distribution
    if asked.legal.all():
        return _numpy(inner.probs)
    weights = softmax(_numpy(inner.logits), asked.legal)
    return np.where(asked.legal.all(-1, keepdims=True), _numpy(inner.probs), weights)


def _numpy(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _actor_critic(model: SB3Model, seen: Any, asked: Asked) -> Said:
    tensors = model.tensors(seen)
    value = _numpy(model.policy.predict_values(tensors))[:, 0]
    if not model.discrete:
        return Said(_predicted(model, seen), None, value)
    weights = _weights(model.policy.get_distribution(tensors), asked)
    return Said(model.decided(weights, asked), weights, value)


def _maskable(model: SB3Model, seen: Any, asked: Asked) -> Said:
    tensors = model.tensors(seen)
    found = model.policy.get_distribution(tensors, action_masks=asked.legal)
    # What is masked has a probability of about e to the power of -1e8: it is left out entirely.
    weights = renormalised(_numpy(found.distribution.probs), asked.legal, model.name)
    value = _numpy(model.policy.predict_values(tensors))[:, 0]
    return Said(model.decided(weights, asked), weights, value)


def _greedy(model: SB3Model, seen: Any, asked: Asked) -> Said:
    tensors, policy = model.tensors(seen), model.policy
    if hasattr(policy, "quantile_net"):
        q = _numpy(policy.quantile_net(tensors).mean(dim=1))
    else:
        q = _numpy(policy.q_net(tensors))
    greedy = best(q, asked.legal)
    weights = one_hot(greedy, q.shape[1])
    if model.exploration:
        even = asked.legal / asked.legal.sum(-1, keepdims=True)
        weights = (1 - model.exploration) * weights + model.exploration * even
    value = np.where(asked.legal, q, -np.inf).max(axis=-1)
    return Said(model.decided(weights, asked), weights, value)


def _off_policy(model: SB3Model, seen: Any, asked: Asked) -> Said:
    del asked
    tensors, policy = model.tensors(seen), model.policy
    found = policy.critic(tensors, policy._predict(tensors, deterministic=True))
    if isinstance(found, tuple):
        value = np.stack([_numpy(q)[:, 0] for q in found]).min(axis=0)
    else:  # quantiles, of several critics
        value = _numpy(found.reshape(len(found), -1).mean(dim=1))
    return Said(_predicted(model, seen), None, value)


def _plain(model: SB3Model, seen: Any, asked: Asked) -> Said:
    del asked
    return Said(_predicted(model, seen))


def _predicted(model: SB3Model, seen: Any) -> np.ndarray:
    """The action of the owner's own `predict`."""
    return np.asarray(model.policy.predict(seen, deterministic=model.deterministic)[0])


def _recurrent(model: SB3Model, seen: Any, asked: Asked) -> Said:
    """The LSTM's states are carried with the rows in front; the owner has them in the middle."""
    rnn_states = package("sb3_contrib.common.recurrent.type_aliases").RNNStates
    torch, policy = imported(), model.policy
    states = [torch.tensor(np.moveaxis(x, 0, 1).copy()) for x in asked.carried]
    pi, vf = (states[0], states[1]), (states[2], states[3])
    first = torch.tensor(asked.first, dtype=torch.float32)
    tensors = model.tensors(seen)
    _, value, _, after = policy.forward(tensors, rnn_states(pi, vf), first, deterministic=True)
    found, _ = policy.get_distribution(tensors, pi, first)
    carried = [np.moveaxis(_numpy(x), 1, 0) for x in (*after.pi, *after.vf)]
    value = _numpy(value)[:, 0]
    if model.discrete:
        weights = _weights(found, asked)
        return Said(model.decided(weights, asked), weights, value, carried)
    action = _numpy(found.get_actions(deterministic=model.deterministic))
    if policy.squash_output:
        action = policy.unscale_action(action)
    else:
        action = np.clip(action, policy.action_space.low, policy.action_space.high)
    return Said(action, None, value, carried)
