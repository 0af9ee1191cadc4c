//! What can be sent to another thread.

use alnm_pacs::dicom_json::JsonDataSet;
use alnm_pacs::multipart::{MessagePart, Multipart};
use alnm_pacs::{
    AttributeMatch, Credentials, DicomNode, DicomNodeParams, DicomWeb, DicomWebParams, FailedFetch, FailedStore,
    FetchChoice, FetchFolder, FetchParams, FetchReport, FoundInstance, FoundSeries, FoundStudy, LocalObject,
    LocalObjects, PacsError, Resend, Secret, StoreJournal, StoreReport, StudyQuery, StudyQueryParams, TransferEvent,
    UnusableFile,
};

#[test]
fn public_types_are_send_sync_and_unpin() {
    fn check<T: Send + Sync + Unpin>() {}
    macro_rules! check_all {
        ($($t:ty),* $(,)?) => { $(check::<$t>();)* };
    }
    check_all!(
        AttributeMatch,
        Credentials,
        DicomNode,
        DicomNodeParams,
        DicomWeb,
        DicomWebParams,
        FailedFetch,
        FailedStore,
        FetchChoice,
        FetchFolder,
        FetchParams,
        FetchReport,
        FoundInstance,
        FoundSeries,
        FoundStudy,
        JsonDataSet,
        LocalObject,
        LocalObjects,
        MessagePart<'_, &[u8]>,
        Multipart<&[u8]>,
        PacsError,
        Resend,
        Secret,
        StoreJournal,
        StoreReport,
        StudyQuery,
        StudyQueryParams,
        TransferEvent<'_>,
        UnusableFile,
    );
}
