from .gradient_descent import GradientDescent as GradientDescent
