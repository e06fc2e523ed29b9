package dev.recurrent.evaluation.task;

import java.io.Serializable;

/**
 * One of the things that a task asks about: a text, a line of a file, or the number of something
 * that is drawn.
 *
 * @param index tells it from the task's other documents
 * @param text its text; null where the index says all
 */
public record Document(long index, Text text) implements Serializable {}
