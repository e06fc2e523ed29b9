/**
 * A whole training run in a folder: its settings, the loop, checkpoints, metrics, the curve and the
 * model that comes out.
 */
package dev.recurrent.training.run;
