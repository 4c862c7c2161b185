"""`make chaos`: many visits while everything fails, and then every participant's record against the truth.

* `script`: who does what when, from a seed; `truth`: what a hospital's record must say of it
* `house`: the processes, and what may happen to them; `stage`: plays the script; `weather`: makes the trouble
* `compare`: the record against the truth; `report`: the figures

What happens in Teams, at the hospitals and in the queues is the sandbox's own. Only launching is short: the
driver opens each room with the app's own library instead of a browser.
"""
