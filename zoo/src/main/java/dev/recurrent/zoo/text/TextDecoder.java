package dev.recurrent.zoo.text;

/**
 * Decodes ids that come one by one. What it returns, joined, is what {@link Tokenizer#decode} makes
 * of all ids; no piece ends within a character. (Where bytes are not text, a decoder that sees them
 * all may put U+FFFD also for valid bytes just before them; these were already given out here.) One
 * decoder serves one text and one thread.
 */
public interface TextDecoder {

    /**
     * Takes the next id.
     *
     * @param id a token
     * @return the text that has become certain, often empty while a character is incomplete
     */
    String add(long id);

    /**
     * Ends the text.
     *
     * @return what was held back; bytes of an incomplete character become U+FFFD
     */
    String flush();
}
