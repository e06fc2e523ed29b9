package dev.recurrent.evaluation.spark;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.Document;
import dev.recurrent.evaluation.task.LineTask;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * A line of a file, as it was read.
 *
 * @param file where it stands, for people
 * @param before how many lines of the file stand before it
 * @param utf8 the line
 */
record Line(String file, long before, byte[] utf8) {

    /** Returns whether there is nothing on it. */
    boolean isBlank() {
        // Also of bytes that are no UTF-8: what replaces them is not blank.
        return new String(utf8, StandardCharsets.UTF_8).isBlank();
    }

    /**
     * Makes a document of it.
     *
     * @param index of the document
     * @param task that knows how
     * @throws InvalidInputException if it is malformed
     */
    Document document(long index, LineTask task) {
        long number = before + 1;
        try {
            String text =
                    StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
            return task.document(index, file + ", line " + number, text);
        } catch (CharacterCodingException e) {
            throw new InvalidInputException(file + " is not UTF-8 text: see line " + number, e);
        }
    }
}
