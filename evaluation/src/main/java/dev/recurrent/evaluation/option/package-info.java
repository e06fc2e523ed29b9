/** Options that the commands on one machine and on many share. */
package dev.recurrent.evaluation.option;
