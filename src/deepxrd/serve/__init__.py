"""``deepxrd serve``: a page and a REST API for prediction, matching and screening; needs no internet."""
