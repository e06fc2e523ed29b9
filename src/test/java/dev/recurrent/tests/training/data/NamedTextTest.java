package dev.recurrent.tests.training.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.repository.Repository;
import ai.djl.training.dataset.Dataset.Usage;
import dev.recurrent.training.data.DataException;
import dev.recurrent.training.data.NamedText;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Against a repository in files, laid out as DJL's own. */
class NamedTextTest {

    private static final String CACHE = "DJL_CACHE_DIR";

    @TempDir private Path folder;
    private String cache;

    @BeforeEach
    void moveCache() {
        cache = System.setProperty(CACHE, folder.resolve("cache").toString());
    }

    @AfterEach
    void restoreCache() {
        if (cache == null) {
            System.clearProperty(CACHE);
        } else {
            System.setProperty(CACHE, cache);
        }
    }

    @Test
    void aTextIsAnItemOfItsOwn() throws IOException {
        artifact("penntreebank-unlabeled-processed", "train", "valid", "test");
        Repository repository = Repository.newInstance("local", folder);
        assertThat(NamedText.PENN_TREEBANK.path(Usage.VALIDATION, repository))
                .hasContent("the valid <unk>\n");
        assertThat(NamedText.PENN_TREEBANK.path(Usage.TRAIN, repository))
                .hasContent("the train <unk>\n");
    }

    @ParameterizedTest
    @EnumSource(NamedText.class)
    void namesAreFound(NamedText text) {
        assertThat(NamedText.of(text.text())).contains(text);
        assertThat(NamedText.of("tinyshakespeare.txt")).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(NamedText.class)
    void whatIsNotThereIsSaid(NamedText text) {
        Repository empty = Repository.newInstance("empty", folder);
        assertThatThrownBy(() -> text.path(Usage.TEST, empty))
                .isInstanceOf(DataException.class)
                .hasMessageContaining(text.text())
                .hasMessageContaining("name text files of your own");
    }

    /** Writes what DJL asks a repository for. */
    private void artifact(String name, String... parts) throws IOException {
        Path artifact = folder.resolve("dataset/nlp/ai/djl/basicdataset/" + name);
        Path files = Files.createDirectories(artifact.resolve("1.0"));
        List<String> items = new ArrayList<>();
        for (String part : parts) {
            byte[] text = ("the " + part + " <unk>\n").getBytes(StandardCharsets.UTF_8);
            Path file = Files.write(files.resolve(part + ".txt"), text);
            items.add(
                    """
                    "%s": {"uri": "%s", "name": "%s.txt", "extension": "txt",
                           "size": %d, "sha1Hash": "%s"}
                    """
                            .formatted(part, file.toUri(), part, text.length, sha1(text)));
        }
        Files.writeString(
                artifact.resolve("metadata.json"),
                """
                {"metadataVersion": "0.2", "resourceType": "dataset", "application": "nlp",
                 "groupId": "ai.djl.basicdataset", "artifactId": "%s", "name": "%s",
                 "artifacts": [{"version": "1.0", "snapshot": false, "name": "%s",
                   "files": {%s}}]}
                """
                        .formatted(name, name, name, String.join(",", items)));
    }

    private static String sha1(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-1").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
