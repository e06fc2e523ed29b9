/** Texts as token windows, synthetic tasks, and how their order is drawn and resumed. */
package dev.recurrent.training.data;
