"""Fuzzy c-means by scikit-fuzzy 0.5.0: python fuzzy_c_means.py > fuzzy_c_means.txt

A line holds a name, then the centres and then the memberships of all points, cluster by cluster. The points are those that the
test makes; the iterations begin with memberships by the first centres, as in the test.
"""

import numpy as np
from skfuzzy.cluster import cmeans

index = np.arange(60)
points = np.stack([index % 7 + (index % 3) * 9, (index * index) % 11 - (index % 2) * 6], axis=1).astype(float)

for clusters, fuzziness in [(2, 2.0), (3, 1.5), (3, 2.5)]:
    centres = points[:clusters]
    squared = ((points[None] - centres[:, None]) ** 2).sum(axis=2)
    memberships = np.where(squared == 0, 1.0, 0.0)
    off = (squared > 0).all(axis=0)
    share = squared[:, off] ** (-1 / (fuzziness - 1))
    memberships[:, off] = share / share.sum(axis=0)
    found, shares, *_ = cmeans(points.T, clusters, fuzziness, error=1e-13, maxiter=5000, init=memberships)
    print(f"{clusters}-{fuzziness}", *map(repr, map(float, found.ravel())), *map(repr, map(float, shares.ravel())))
