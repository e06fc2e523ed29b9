package dev.recurrent.zoo.generation;

/** Chooses the tokens of a batch of texts, one a text at a time; it ends with their manager. */
interface Decoder {

    /**
     * Chooses the next token of every text.
     *
     * @param most how many more tokens some text may get, at least this one
     * @return an id for each text
     * @throws IllegalStateException if a logit is NaN or +∞, or none is finite
     */
    long[] next(int most);

    /** Goes on with some of the texts only, by their indices in ascending order. */
    void keep(int... texts);
}
