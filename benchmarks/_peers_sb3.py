"""One training of stable-baselines3 with rl-zoo's settings, for peers.py (Raffin 2020).

The settings are those of rl-baselines3-zoo's hyperparams/{ppo,dqn}.yml, whose published figures
peers.py compares with; what they leave out is stable-baselines3's default.
"""

from typing import Any

ENVIRONMENTS = {
    "cartpole": "CartPole-v1",
    "acrobot": "Acrobot-v1",
    "mountain_car": "MountainCar-v0",
    "pendulum": "Pendulum-v1",
}
WIDE = {"net_arch": [256, 256]}
SETTINGS: dict[tuple[str, str], dict[str, Any]] = {
    ("ppo", "cartpole"): {
        "steps": 100_000, "environments": 8, "n_steps": 32, "batch_size": 256, "gae_lambda": 0.8,
        "gamma": 0.98, "n_epochs": 20, "falling": {"learning_rate": 1e-3, "clip_range": 0.2},
    },
    ("ppo", "acrobot"): {
        "steps": 1_000_000, "environments": 16, "normalise": True, "n_steps": 256,
        "gae_lambda": 0.94, "gamma": 0.99, "n_epochs": 4,
    },
    ("ppo", "mountain_car"): {
        "steps": 1_000_000, "environments": 16, "normalise": True, "n_steps": 16,
        "gae_lambda": 0.98, "gamma": 0.99, "n_epochs": 4,
    },
    ("ppo", "pendulum"): {
        "steps": 100_000, "environments": 4, "n_steps": 1024, "gae_lambda": 0.95, "gamma": 0.9,
        "n_epochs": 10, "learning_rate": 1e-3, "use_sde": True, "sde_sample_freq": 4,
    },
    ("dqn", "cartpole"): {
        "steps": 50_000, "learning_rate": 2.3e-3, "batch_size": 64, "buffer_size": 100_000,
        "learning_starts": 1000, "gamma": 0.99, "target_update_interval": 10, "train_freq": 256,
        "gradient_steps": 128, "exploration_fraction": 0.16, "exploration_final_eps": 0.04,
        "policy_kwargs": WIDE,
    },
    ("dqn", "acrobot"): {
        "steps": 100_000, "learning_rate": 6.3e-4, "batch_size": 128, "buffer_size": 50_000,
        "learning_starts": 0, "gamma": 0.99, "target_update_interval": 250, "train_freq": 4,
        "gradient_steps": -1, "exploration_fraction": 0.12, "exploration_final_eps": 0.1,
        "policy_kwargs": WIDE,
    },
    ("dqn", "mountain_car"): {
        "steps": 120_000, "learning_rate": 4e-3, "batch_size": 128, "buffer_size": 10_000,
        "learning_starts": 1000, "gamma": 0.98, "target_update_interval": 600, "train_freq": 16,
        "gradient_steps": 8, "exploration_fraction": 0.2, "exploration_final_eps": 0.07,
        "policy_kwargs": WIDE,
    },
}  # fmt: skip


def learn(learner: str, task: str, seed: int, episodes: int) -> dict[str, Any]:
    """Train, then play episodes greedily: their returns, the steps learned from, the seconds."""
    import time

    import torch
    from stable_baselines3 import DQN, PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.vec_env import VecNormalize

    torch.set_num_threads(1)
    asked = dict(SETTINGS[learner, task])
    steps, many = asked.pop("steps"), asked.pop("environments", 1)
    for name, first in asked.pop("falling", {}).items():
        asked[name] = lambda left, first=first: left * first
    gamma, scaled = asked["gamma"], asked.pop("normalise", False)
    started = time.perf_counter()
    worlds: Any = make_vec_env(ENVIRONMENTS[task], many, seed=seed)
    if scaled:
        worlds = VecNormalize(worlds, gamma=gamma)
    kind = PPO if learner == "ppo" else DQN
    model = kind("MlpPolicy", worlds, seed=seed, device="cpu", **asked)
    model.learn(steps)
    seconds = time.perf_counter() - started
    fresh: Any = make_vec_env(ENVIRONMENTS[task], 1, seed=10_000 + seed)
    if scaled:
        fresh = VecNormalize(fresh, training=False, norm_reward=False)
        fresh.obs_rms = worlds.obs_rms
    returns, _ = evaluate_policy(
        model, fresh, n_eval_episodes=episodes, return_episode_rewards=True
    )
    return {"returns": [float(x) for x in returns], "steps": steps, "seconds": seconds}
