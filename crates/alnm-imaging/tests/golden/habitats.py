"""Clusters by scikit-learn: python3 habitats.py > habitats.txt. The points are those of `points` in tests/habitats.rs."""

import numpy as np
import sklearn
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture

print(f"# scikit-learn {sklearn.__version__}, numpy {np.__version__}")
state = 20261129


def uniform():
    global state
    state = (state * 1103515245 + 12345) % 2**31
    return state / 2**31


points = np.empty((600, 3))
for i in range(600):
    for j in range(3):
        spread = 1.0 + 0.5 * (i % 3)
        points[i, j] = 3.0 * ((i % 3) * (j + 1) % 4) + spread * (uniform() + uniform() + uniform() - 1.5)


def line(name, values):
    print(name, "|", " ".join(repr(value) for value in np.ravel(values).tolist()))


for clusters in (3, 5):
    found = KMeans(clusters, init=points[:clusters].copy(), n_init=1, max_iter=300, tol=0.0, algorithm="lloyd").fit(points)
    line(f"centres {clusters}", found.cluster_centers_)
    line(f"inertia {clusters}", found.inertia_)
    line(f"labels {clusters}", found.labels_)
    means = np.array([points[found.labels_ == k].mean(0) for k in range(clusters)])
    covariances = np.array([np.cov(points[found.labels_ == k].T, bias=True) + 1e-6 * np.eye(3) for k in range(clusters)])
    mixture = GaussianMixture(clusters, weights_init=np.bincount(found.labels_) / 600, means_init=means,
                              precisions_init=np.linalg.inv(covariances), max_iter=300).fit(points)
    line(f"weights {clusters}", mixture.weights_)
    line(f"means {clusters}", mixture.means_)
    line(f"covariances {clusters}", mixture.covariances_)
    line(f"iterations {clusters}", mixture.n_iter_)
    line(f"likelihood {clusters}", mixture.score(points))
    line(f"bic {clusters}", mixture.bic(points))
    line(f"mixed {clusters}", mixture.predict(points))
scaled = (points - points.mean(0)) / points.std(0)
for clusters in (2, 3):
    labels = KMeans(clusters, n_init=50, tol=0.0, random_state=0).fit(scaled).labels_
    line(f"silhouette {clusters}", silhouette_score(scaled, labels))
