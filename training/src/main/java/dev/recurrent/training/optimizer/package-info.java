/** AdamW in groups, gradients as a whole, learning-rate schedules and loss scaling. */
package dev.recurrent.training.optimizer;
