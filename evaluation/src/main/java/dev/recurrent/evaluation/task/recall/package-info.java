/** Recall by drawn token ids: what stood earlier in a row is asked for later. */
package dev.recurrent.evaluation.task.recall;
