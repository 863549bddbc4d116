"""From what a run has stored to a decision: a gate that passes or fails, and a recommendation. Loads no torch.

levels.py       one contender's own level on one question, with its interval
amounts.py      "20ms", "75%" and "-0.5 points" as numbers in a question's own unit
naming.py       the question or the contender that a user names
conditions.py   "accuracy.top1.delta >= -0.005": the grammar of a gate
gate.py         conditions judged on intervals
gate_file.py    a gate written down in TOML
verdicts.py     conditions on a whole study, such as security.verdict == pass
threats.py      the threats of the security verdict, and what is asked of a contender
strength.py     whether an attack was run whole, so that withstanding it says something
security.py     each contender's pre-deployment test, threat by threat
measuring.py    what that test has to measure
axes.py         findings on one scale: margins of quality, halvings of cost
priorities.py   limits and weights
draws.py        normal numbers that are the same in Python and in a browser
utility.py      how far ahead one contender is under given weights, and how surely
front.py        which contenders no other surely dominates
choice.py       the contender that fits, and whether that is certain
flips.py        the weight or the limit at which the choice changes
recommend.py    all of it for a run
"""
