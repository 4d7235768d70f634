### この画面が来場者に話すことば（日本語）。
### 見出しと文の改行位置は、文節の間のゼロ幅スペース（U+200B）で決まります。

language-name = 日本語
languages = 言語
demo = デモ
steps = 手順
step-scan = スキャン
step-shape = 作成
step-meet = ご対面

waking-title = 少々​お待ちください
waking-line = ステージを​準備しています。
lost-retry = もう一度試す

attract-title = 自分に​会おう
attract-line = コードを​読み取り、​スマホで​顔を​撮影。​あなたの​アバターに​ここで​出会えます。
attract-start = はじめる
attract-any =
    { $device ->
        [gamepad] どの​ボタンでも​はじめられます
        [keyboard] どの​キーでも​はじめられます
        [touch] どこを​タッチしても​はじめられます
       *[pointer] どこを​クリックしても​はじめられます
    }

closed-until = 次の​開場：{ $when }
closed-staff =
    { $device ->
        [gamepad] スタッフの​方へ：Start と Select の​長押しで​設定を​開けます。
        [keyboard] スタッフの​方へ：F10 キーで​設定を​開けます。
        [touch] スタッフの​方へ：画面の​左上を 5 回タッチすると​設定を​開けます。
       *[pointer] スタッフの​方へ：F10 キー、​または​画面の​左上を 5 回タッチで​設定を​開けます。
    }

consent-title = はじめる​前に
consent-agree = 同意する
consent-more = 続きを読む
consent-not-now = 今はやめる
consent-onward = で選択へ
consent-other-language = この文章の日本語版はありません。{ $language }で表示しています。

preparing-title = 少々​お待ちください
preparing-line = あなた​専用の​コードを​用意しています。
invite-title = スマホで​読み取ってください
invite-demo-title = 使い方を​見てみましょう
invite-demo-line = この​デモでは、​ご自分の​スマホは​使いません。
invite-demo-step-1 = スマホが​コードを​読み取ります。
invite-demo-step-2 = スマホが​顔を​撮影します。
invite-demo-step-3 = この​画面に​アバターが​現れます。
invite-step-1 = スマホの​カメラを​コードに​向けます。
invite-step-2 = 顔を​撮影するか、​お持ちの​アバターを​選びます。
invite-step-3 = この​画面に​戻って、​アバターに​出会いましょう。
invite-qr = スマホで読み取るコード
invite-no-camera = カメラを​使えない​ときは、​スマホで​次の​アドレスを​開いてください。
invite-time-left = この​コードの​有効時間は​あと { $clock }
invite-new-code = 新しいコード
invite-play-phone = デモを再生
invite-open-phone = スマホなしで試す

making-found-title = つながりました！
making-found-line = こちらの​画面を​ご覧ください。
making-found-line-demo = こちらの​画面を​ご覧ください。
making-queue-title = 順番を​お待ちください
making-queue-line = 撮影データが​届きました。​近くで​お待ちください。
making-queue-next = 次は​あなたの​番です！
making-queue-place = { $place } 番目です
making-processing-title = アバターを​作っています
making-processing-line = 少しずつ、​あなたらしく​なっています。
making-failed-title = うまく​撮影できませんでした
making-failed-line = よく​ある​ことです。​コードを​読み取り、​明るいほうを​向いて、​動かずに​もう​一度​撮影してください。
making-failed-line-demo = よく​ある​ことです。​もう​一度​デモを​再生してください。
making-unknown-title = アバターを​準備しています
making-unknown-line = 近くで​お待ちください。​アバターは​この​画面に​表示されます。
making-left = あと { $time }ほど
making-left-soon = あと数秒です
making-turn = あと { $time }ほどで​順番です
making-turn-soon = まもなく順番です
making-stalled = 少し​時間が​かかっています。​作業は​続いています。
making-queue-stalled = 列が​少し​止まっています。​順番は​そのままです。

lanes-next = 引換券をもらう
lanes-next-line = ここで​待たなくても​大丈夫です。​引換券を​受け取って、​アバターが​できたら​お越しください。
lanes-next-automatic = まもなく​引換券が​出ます。​アバターが​できたら​お越しください。
lanes-full = ただいま​引換券は​すべて​使用中です。​アバターは​この​画面に​表示されます。
ticket-name =
    { $colour ->
            [blue] 青い
            [red] 赤い
            [green] 緑の
            [yellow] 黄色い
            [orange] オレンジの
            [purple] 紫の
            [pink] ピンクの
           *[white] 白い
        }{ $symbol ->
            [comet] 彗星
            [moon] 月
            [anchor] いかり
            [bell] ベル
            [kite] 凧
            [key] カギ
            [leaf] 葉っぱ
            [crown] 王冠
            [rocket] ロケット
            [cloud] 雲
            [feather] 羽根
           *[mountain] 山
        }
ticket-title = あなたの​引換券
ticket-line = 写真に​撮っておいてください。​アバターが​できたら、​この​画面で​引換券を​選び、​番号を​入力します。
ticket-on-phone = スマホにも​表示されています。
ticket-code = 受け取り番号
ticket-done = わかりました
tickets = 引換券
tickets-ready = 受け取れます
tickets-making = 作成中
ticket-being-made = { $name }：作成中
ticket-being-recorded = { $name }：撮影中
ticket-announced = 「{ $name }」の​方、​できました！
pickup-title = 番号を​入力してください
pickup-line = 「{ $name }」の​引換券に​ある​4 桁の​番号です。
pickup-making-title = もう​少しです
pickup-making-line = 「{ $name }」は​作成中です。​しばらくしてから​お越しください。
pickup-closed-title = この​引換券は​無効です
pickup-closed-line = スタッフに​お声がけください。
pickup-wrong =
    番号が​違います。 { $tries ->
           *[other] あと { $tries } 回​入力できます。
        }
pickup-blocked = 入力の​まちがいが​続きました。​{ $clock } お待ちください。
pickup-checking = 確認しています…
pickup-forgotten = 番号を​お忘れの​ときは、​スタッフが​お開けします。
pickup-keys = 数字
pickup-delete = 最後の数字を消す
pickup-entered =
    { $count ->
       *[other] { $count } 桁入力しました
    }

saving-title = もう​少しです
saving-line = アバターが​完成しました。​まもなく​表示されます。
saving-stalled = 通信に​時間が​かかっています。​このまま​お待ちください。

gate-title = アバターが​できました
gate-line = ご自分の​アバターですか？​ご覧に​なるまで、​何も​表示されません。
gate-show = 表示する
gate-not-mine = わたしのではない

reveal-title = これが、​あなたです
reveal-title-portrait = あなたの​ポートレート
reveal-title-card = アバターを​保存しました
reveal-turn =
    { $device ->
        [touch] スワイプで​回せます。
       *[pointer] ドラッグで​回せます。
    }
reveal-lighting = ライトを​つけています…
reveal-canvas = 光の中で回るあなたのアバター
reveal-portrait = あなたのアバターのポートレート
reveal-me = このアバターを使う
reveal-again = 作り直す
reveal-delete = アバターを削除
reveal-faces = 表情を変える
reveal-welcome-title = はじめまして！
reveal-welcome-line = アバターは​保存されました。​ここから、​あなたが​主役の​ゲームが​始まります。
reveal-welcome-line-unsaved = ここから、​あなたが​主役の​ゲームが​始まります。
reveal-finish = 終了する
face-smile = 笑顔
face-wink = ウインク
face-surprise = びっくり
face-kiss = キス
face-frown = 怒り顔

keep-for-ever = アバターは​この​端末に​保存されたままに​なります。
keep-while-here = アバターは、​この​画面を​離れると​この​端末から​削除されます。
keep-until-finished = アバターは、​終了するか​作り直すと​削除されます。
keep-hours = アバターは { $count } 時間後に、​この​端末から​削除されます。
keep-days = アバターは { $count } 日後に、​この​端末から​削除されます。
forget-me = データを削除
forget-title = すべて​削除しますか？
forget-ask = 今回の​ファイルと​履歴を、​この​端末から​削除します。​元に​戻すことは​できません。
forget-keep = 残しておく
forget-yes = 削除する
forgetting-title = 削除しています…
forgetting-line = 今回の​ファイルと​履歴を​削除しています。
forgotten-title = 削除しました
forgotten-line = あなたの​データは​ここには​残っていません。
forget-failed-title = 一部を​削除できませんでした
forget-failed-line = 恐れ入りますが、​スタッフに​お知らせ​ください。​残りは​スタッフが​削除できます。

ended-again = 最初に戻る

leave-back = 戻る
leave-title = ここで​終了しますか？
leave-ask = アバターは、​もう​ここには​表示されません。
leave-ask-making = アバターは​完成しますが、​ここには​表示されません。
leave-ask-failed = この​コードは​使えなくなります。
leave-stay = 続ける
leave-leave = 終了する
leave-delete = 削除して終了する
idle-title = まだ​いらっしゃいますか？
idle-line = 次の​方の​ために、​あと { $seconds } 秒で​表示を​消去します。
idle-line-unsaved = 次の​方の​ために、​あと { $seconds } 秒で​表示を​消去し、​アバターを​削除します。
idle-stay = ここにいます
idle-leave = 今すぐ消去
idle-spoken = まだいらっしゃいますか？　次の方のために、まもなく表示を消去します。
idle-spoken-unsaved = まだいらっしゃいますか？　まもなく表示を消去し、アバターを削除します。

hint-choose = 決定
hint-back = 戻る
hint-language = 言語
hint-turn = 回す

problem-saved = アバターが​できました
    .do = どうぞご覧ください。
problem-saved-in-part = アバターの​一部が​届きませんでした
    .do = 新しい​コードで​もう​一度​はじめると、​すべて​受け取れます。
problem-credentials-refused = この​端末は​まだ​準備中です
    .do = お近くの​スタッフに​お知らせ​ください。
problem-credentials-missing = この​端末は​まだ​準備中です
    .do = お近くの​スタッフに​お知らせ​ください。
problem-token-refused = この​コードは​使えませんでした
    .do = 新しい​コードで​試してみましょう。
problem-token-expired = コードの​期限が​切れました
    .do = 新しい​コードは​すぐに​出せます。
problem-avatar-failed = 今回は​アバターを​作れませんでした
    .do = 顔に​均等に​光が​当たるように​して、​もう​一度​お試しください。
problem-backend-unreachable = 今、​アバタースタジオに​つながりません
    .do = 少し​お待ちください。​続くようなら、​スタッフに​お知らせ​ください。
problem-answer-lost = 接続が​途切れました
    .do = もう​一度​つないでいます。
problem-download-interrupted = ダウンロードが​止まりました
    .do = アバターは​失われません。​接続が​回復しだい​届きます。
problem-backend-busy = アバタースタジオが​混み合っています
    .do = 少々​お待ちください。
problem-backend-failing = アバタースタジオで​問題が​起きています
    .do = 少し​お待ちください。​続くようなら、​スタッフに​お知らせ​ください。
problem-gate = この​ネットワークから​アバタースタジオに​進めません
    .do = お近くの​スタッフに​お知らせ​ください。
problem-no-api = この​端末は​まだ​準備中です
    .do = お近くの​スタッフに​お知らせ​ください。
problem-protocol-broken = アバタースタジオから​思いがけない​返事が​届きました
    .do = お近くの​スタッフに​お知らせ​ください。
problem-possibly-consumed = 大事な​ところで​接続が​切れました
    .do = 新しい​コードで、​もう​一度​はじめてください。
problem-timed-out = アバターが​届く​前に​時間切れに​なりました
    .do = 新しい​コードで、​はじめから​やり直せます。
problem-storage-failed = 今、​この​端末に​保存できません
    .do = お近くの​スタッフに​お知らせ​ください。
problem-disk-full = この​端末の​空き容量が​ありません
    .do = お近くの​スタッフに​お知らせ​ください。
problem-token-abandoned = コードが​古くなっています
    .do = 新しい​コードは​すぐに​出せます。
problem-forget-incomplete = 削除できない​ものが​ありました
    .do = お近くの​スタッフに​お知らせ​ください。
problem-interrupted = また​お会いしましょう！
    .do = いつでも、​もう​一度​はじめられます。
problem-outside-hours = ただいま​閉まっています
    .do = また​お越しください。
problem-configuration = この​端末は​まだ​準備中です
    .do = お近くの​スタッフに​お知らせ​ください。
problem-window-lost = 画面が​止まってしまいました
    .do = もう​一度​試すか、​お近くの​スタッフに​お知らせ​ください。
problem-window-refused = うまく​いきませんでした
    .do = もう​一度​お試しください。
