/** How well a model foretells running text. */
package dev.recurrent.evaluation.task.text;
