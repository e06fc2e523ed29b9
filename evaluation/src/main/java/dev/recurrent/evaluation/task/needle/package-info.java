/** Retrieval from long texts: a sentence in a haystack, a number in a phone book. */
package dev.recurrent.evaluation.task.needle;
