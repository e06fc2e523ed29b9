/** The loss of token prediction, and DJL evaluators beside it. */
package dev.recurrent.training.metric;
