package dev.recurrent.zoo.generation;

import java.util.List;

/**
 * What was generated for one prompt.
 *
 * @param promptTokens number of tokens in the prompt
 * @param ids all generated tokens, also the one that ended the text
 * @param text their text, cut before a stop string
 * @param finishReason why it ended
 */
public record GenerationResult(
        int promptTokens, List<Long> ids, String text, FinishReason finishReason) {

    /** Copies the list. */
    public GenerationResult {
        ids = List.copyOf(ids);
    }
}
