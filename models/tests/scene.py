"""A small scene, path-traced with one path a pixel and so with much noise: three balls on a chequered floor under a sun and a sky.

`render(width, height)` gives colour (light without an upper bound), albedo and normals, each of height x width x 3 in f32. The same
arguments give the same pictures.
"""

import numpy as np

BALLS = [  # centre, radius, albedo, light
    ((-1.1, 0.8, 4.0), 0.8, (0.8, 0.25, 0.2), 0.0),
    ((0.7, 0.6, 3.0), 0.6, (0.25, 0.5, 0.85), 0.0),
    ((1.9, 1.1, 5.0), 1.1, (0.85, 0.8, 0.4), 0.0),
    ((-0.3, 0.25, 2.3), 0.25, (1.0, 0.9, 0.7), 6.0),
]
SUN = np.array([0.5, 0.7, -0.5]) / np.linalg.norm([0.5, 0.7, -0.5])


def hit(origin, direction):
    """Distance, normal, albedo and light of what each ray meets first; an infinite distance for the sky."""
    distance = np.where(direction[:, 1] < -1e-6, -origin[:, 1] / np.minimum(direction[:, 1], -1e-6), np.inf)
    distance = np.where(distance > 1e-3, distance, np.inf)
    point = origin + np.where(np.isfinite(distance), distance, 0.0)[:, None] * direction
    chequered = (np.floor(point[:, 0]) + np.floor(point[:, 2])) % 2
    albedo = np.where(chequered[:, None] > 0, [[0.75, 0.75, 0.7]], [[0.2, 0.22, 0.25]])
    normal = np.tile([0.0, 1.0, 0.0], (len(origin), 1))
    light = np.zeros(len(origin))
    for centre, radius, colour, shining in BALLS:
        to = origin - np.array(centre)
        b = (to * direction).sum(1)
        root = b * b - (to * to).sum(1) + radius * radius
        t = -b - np.sqrt(np.maximum(root, 0.0))
        nearer = (root > 0) & (t > 1e-3) & (t < distance)
        distance = np.where(nearer, t, distance)
        at = origin + np.where(nearer, t, 0.0)[:, None] * direction
        normal = np.where(nearer[:, None], (at - np.array(centre)) / radius, normal)
        albedo = np.where(nearer[:, None], [colour], albedo)
        light = np.where(nearer, shining, light)
    return distance, normal, albedo, light


def sky(direction):
    up = np.clip(direction[:, 1:2], 0.0, 1.0)
    return (1 - up) * np.array([[0.9, 0.95, 1.0]]) + up * np.array([[0.3, 0.5, 0.9]])


def render(width, height, seed=1):
    random = np.random.Generator(np.random.PCG64(seed))
    y, x = np.mgrid[0:height, 0:width].reshape(2, -1)
    aspect = width / height
    direction = np.stack([((x + 0.5) / width - 0.5) * 1.3 * aspect, 0.5 - (y + 0.5) / height, np.full(x.shape, 1.2)], 1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    origin = np.tile([0.0, 1.0, -1.0], (len(x), 1))
    colour, weight = np.zeros((len(x), 3)), np.ones((len(x), 3))
    alive = np.ones(len(x), bool)
    first = None
    for bounce in range(3):
        distance, normal, albedo, light = hit(origin, direction)
        is_sky = ~np.isfinite(distance)
        colour += np.where((alive & is_sky)[:, None], weight * sky(direction), 0.0)
        alive &= ~is_sky
        colour += np.where(alive[:, None], weight * light[:, None], 0.0)
        if first is None:
            first = np.where(alive[:, None], albedo, 1.0), np.where(alive[:, None], normal, 0.0)
        weight = weight * albedo
        origin = np.where(alive[:, None], origin + np.where(alive, distance, 0.0)[:, None] * direction + 1e-3 * normal, origin)
        # The sun has a width, so that its shadows are noisy.
        sun = SUN + 0.15 * random.standard_normal((len(x), 3))
        sun /= np.linalg.norm(sun, axis=1, keepdims=True)
        lit = alive & ~np.isfinite(hit(origin, sun)[0])
        colour += np.where(lit[:, None], weight * 2.5 * np.clip((sun * normal).sum(1), 0, 1)[:, None], 0.0)
        direction = normal + (lambda d: d / np.linalg.norm(d, axis=1, keepdims=True))(random.standard_normal((len(x), 3)))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True) + 1e-9
    shaped = lambda values: np.ascontiguousarray(values.reshape(height, width, 3), np.float32)
    return shaped(colour), shaped(first[0]), shaped(first[1])
