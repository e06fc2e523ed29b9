/** Sums, means and their errors, equal to the last digit whatever the order and the machine. */
package dev.recurrent.evaluation.statistic;
