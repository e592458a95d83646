"""How sure a fitted law is: bootstraps and profiles of its parameters, intervals of its predictions."""
