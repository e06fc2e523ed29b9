/**
 * What is measured: one small class a task, registered in {@link
 * dev.recurrent.evaluation.task.Tasks}.
 */
package dev.recurrent.evaluation.task;
