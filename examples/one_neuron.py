"""One neuron: hours of study in, pass or fail out. This is the whole first tutorial."""

from tinynet_fast import train_neuron

hours = [1, 2, 3, 4]
passed = [0, 0, 1, 1]

result = train_neuron(hours, passed, weights=0.1, bias=0.0, learning_rate=0.1, epochs=1000)

for epoch in (0, 100, 200, 900):
    print(f"epoch {epoch:3d}: total loss {result.loss_history[epoch]:.4f}")
print(f"weight {result.model.weights[0]:.4f}, bias {result.model.bias:.4f}")
print(f"2.5 hours: {result.model.predict_proba([2.5])[0]:.4f}, label {result.model.predict([2.5])[0]}")
