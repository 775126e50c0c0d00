"""Label and instance operations the plain way: loops over classes, ids, images and channels."""

import numpy as np
import torch


def instance_average(features, instance):
    """Means over instances as the released encoder takes them.

    Every id of the whole batch is looked for in every image, and every channel is averaged and
    filled for itself; the ids are gathered in host memory.
    """
    averaged = features.clone()
    for number in np.unique(instance.cpu().numpy()):
        for b in range(len(features)):
            places = (instance[b : b + 1] == int(number)).nonzero()
            if not len(places):
                continue
            rows, columns = places[:, 2], places[:, 3]
            for c in range(features.shape[1]):
                mean = features[b, c, rows, columns].mean()
                averaged[b, c, rows, columns] = mean.expand(len(rows))
    return averaged


def condition(label, instance, num_classes):
    """One-hot channels, then the boundary map, joined."""
    batch, _, height, width = label.shape
    planes = torch.zeros(batch, num_classes, height, width).scatter_(1, label.long(), 1.0)
    edge = torch.zeros(instance.shape, dtype=torch.bool)
    edge[..., 1:] = edge[..., 1:] | (instance[..., 1:] != instance[..., :-1])
    edge[..., :-1] = edge[..., :-1] | (instance[..., 1:] != instance[..., :-1])
    edge[..., 1:, :] = edge[..., 1:, :] | (instance[..., 1:, :] != instance[..., :-1, :])
    edge[..., :-1, :] = edge[..., :-1, :] | (instance[..., 1:, :] != instance[..., :-1, :])
    return torch.cat([planes, edge.float()], 1)


def coloured(label, palette):
    """uint8 [3,H,W] of uint8 [1,H,W], painted class by class."""
    label = label[0].numpy()
    painted = np.zeros((3, *label.shape), np.uint8)
    for number, (red, green, blue) in enumerate(palette):
        inside = label == number
        painted[0][inside] = red
        painted[1][inside] = green
        painted[2][inside] = blue
    return torch.from_numpy(painted)


def confusion(predicted, target, num_classes):
    """Counts int64 [N,N] of valid pixels, by numpy's bincount of 64-bit pairs."""
    truth, guess = target.numpy().astype(np.int64).ravel(), predicted.numpy().ravel()
    valid = truth < num_classes
    pairs = truth[valid] * num_classes + guess[valid]
    counts = np.bincount(pairs, minlength=num_classes**2)
    return torch.from_numpy(counts.reshape(num_classes, num_classes))
