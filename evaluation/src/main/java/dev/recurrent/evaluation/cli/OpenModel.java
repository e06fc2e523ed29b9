package dev.recurrent.evaluation.cli;

import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.zoo.text.Tokenizer;

record OpenModel(LanguageModel model, Tokenizer tokenizer, NDManager manager)
        implements AutoCloseable {

    static OpenModel open(ModelName name, DeviceOption device) {
        throw new IllegalStateException();
    }

    @Override
    public void close() {
        tokenizer.close();
        manager.close();
    }
}
