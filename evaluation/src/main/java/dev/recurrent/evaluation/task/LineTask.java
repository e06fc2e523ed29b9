package dev.recurrent.evaluation.task;

/**
 * A task whose documents can be lines of JSONL that others read for it, such as a cluster. Its
 * documents carry all that is asked about them.
 */
public interface LineTask extends Task {

    /**
     * Makes a document of a line.
     *
     * @param index tells it from the task's other documents
     * @param where file and line number, for people
     * @param line a JSON object
     * @return the document
     * @throws dev.recurrent.evaluation.InvalidInputException if the line is malformed
     */
    Document document(long index, String where, String line);
}
