"""Fits on an accelerator: the tape evaluated by JAX for many candidates, weight sets, groups and starts at once.

One kernel per size class (`classes`) runs every formula, so that a new formula costs no compilation.  The rest of the
package talks to `sldagent.fitting.engines`, which imports from here, and thereby JAX, only when it is used.
"""
