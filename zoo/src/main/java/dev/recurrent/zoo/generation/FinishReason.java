package dev.recurrent.zoo.generation;

/** Why a text ended. */
public enum FinishReason {
    /** A token that ends texts, or one of the stop ids, was generated. */
    END_OF_TEXT,
    /** A stop string appeared. */
    STOP_STRING,
    /** As many tokens as allowed were generated. */
    LENGTH
}
