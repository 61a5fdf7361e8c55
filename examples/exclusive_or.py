"""Exclusive or: pass if one of the two answers is right, but not both. One neuron cannot learn it, four units can."""

from tinynet_fast import train_mlp, train_neuron

X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
neuron = train_neuron(X, y, epochs=1000).model
print("one neuron:", neuron.predict_proba(X).round(3))

options = {"activation": "tanh", "optimizer": "adam", "learning_rate": 0.05, "init": "glorot", "seed": 0}
network = train_mlp(X, y, hidden=(4,), epochs=1000, **options).model
print("4 hidden units:", network.predict_proba(X).round(3))
print("right:", network.score(X, y))
