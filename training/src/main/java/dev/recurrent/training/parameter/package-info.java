/** Parameters by name: which ones a pattern means. */
package dev.recurrent.training.parameter;
